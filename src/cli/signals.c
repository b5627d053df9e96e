#include "cli/signals.h"

#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <unistd.h>

static _Atomic(dt_trainer *) watched;
static volatile sig_atomic_t caught;

static void on_signal(int number)
{
    if (caught)
        _exit(128 + number);
    caught = number;
    dt_trainer *trainer = atomic_load(&watched);
    if (trainer)
        dt_trainer_stop(trainer);
}

void dt_signals_watch(dt_trainer *trainer)
{
    atomic_store(&watched, trainer);
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART}, old;
    sigemptyset(&action.sa_mask);
    /* Also where a shell started the program in the background and had SIGINT ignored: whoever sends it means it. */
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    if (sigaction(SIGHUP, NULL, &old) == 0 && old.sa_handler != SIG_IGN) /* nohup */
        sigaction(SIGHUP, &action, NULL);
}

static void on_noted(int number)
{
    if (!caught)
        caught = number;
}

void dt_signals_note(void)
{
    struct sigaction action = {.sa_handler = on_noted}; /* without SA_RESTART, so that waiting ends */
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGHUP, &action, NULL);
}

void dt_signals_forget(void)
{
    atomic_store(&watched, NULL);
}

int dt_signals_caught(void)
{
    return caught;
}

const char *dt_signals_name(void)
{
    return caught == SIGTERM ? "SIGTERM" : caught == SIGHUP ? "SIGHUP" : "SIGINT";
}

void dt_signals_keep_writes(void)
{
    struct sigaction action = {.sa_handler = SIG_IGN};
    sigemptyset(&action.sa_mask);
    sigaction(SIGPIPE, &action, NULL);
    sigaction(SIGXFSZ, &action, NULL);
}
