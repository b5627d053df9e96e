#define _DEFAULT_SOURCE
#include "cli/terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

void dt_terminal_reserve(void)
{
    for (int fd = 0; fd <= 2; fd++)
        if (fcntl(fd, F_GETFD) < 0 && errno == EBADF)
            (void)!open("/dev/null",
                        fd == 0 ? O_WRONLY : O_RDONLY); /* the lowest free one: fd; using it goes on failing */
}

bool dt_terminal_redraws(int fd)
{
    const char *term = getenv("TERM");
    return isatty(fd) && term && *term && strcmp(term, "dumb") != 0;
}

bool dt_terminal_colours(int fd)
{
    const char *no = getenv("NO_COLOR");
    return dt_terminal_redraws(fd) && !(no && *no);
}

int dt_terminal_width(int fd)
{
    struct winsize size;
    return ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 1 ? size.ws_col : 80;
}

dt_status dt_terminal_flush(dt_error *error)
{
    errno = 0;
    if (fflush(stdout) == 0 && !ferror(stdout))
        return DT_OK;
    return dt_fail(error, DT_IO, "standard output: %s; send it to where it can be written",
                   errno ? strerror(errno) : "write failed");
}
