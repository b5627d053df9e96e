/* parallel.*, as users of the program meet it: what auto picked and why, what isn't reproducible and where that is
 * said.
 */
#include "program.h"

static const char experiment[] = "name: p\n"
                                 "data: {format: synthetic, generator: spirals, rows: 200, test_rows: 50}\n"
                                 "network: [{units: 40, activation: tanh}, {units: 3}]\n"
                                 "loss: cross_entropy\n"
                                 "training: {epochs: 2, batch_size: 64}\n"
                                 "parallel: {threads: 2, shard_size: 16}\n"
                                 "capture:\n"
                                 "  probe: {quantities: [W, z, delta, cost], every: 2, samples: 8}\n";

static int set_up(void **state)
{
    (void)state;
    if (home_make() != 0)
        return -1;
    write_text("e.yaml", experiment);
    return 0;
}

static const char *provenance(const char *run)
{
    static char text[1 << 16];
    char path[64];
    snprintf(path, sizeof path, "%s/provenance.json", run);
    read_into(path, text, sizeof text);
    return text;
}

static void says(const char *text, const char *words)
{
    if (!strstr(text, words))
        fail_msg("'%s' isn't in: %s", words, text);
}

static void silent(const char *text, const char *words)
{
    if (strstr(text, words))
        fail_msg("'%s' is in: %s", words, text);
}

static void auto_says_why(void **state)
{
    (void)state;
    RUN("train", "e.yaml", "--dry-run", "parallel.reduction=auto");
    expect_success();
    says(last.out, "(auto: ");
    says(last.out, " us a step by a model: ");
    RUN("train", "e.yaml", "--dry-run", "--json", "parallel.reduction=auto");
    expect_success();
    says(last.out, " us a step by a model: ");
    RUN("train", "e.yaml", "--out", "a", "parallel.reduction=auto");
    expect_success();
    says(last.out, "reduction ");
    says(last.out, "(auto: ");
    says(provenance("a"), "\"choice\": \"");
    RUN("train", "e.yaml", "--out", "b", "parallel.reduction=auto", "--quiet");
    expect_success();
    assert_string_equal(last.out, "");
    RUN("train", "e.yaml", "--out", "c");
    expect_success();
    silent(last.out, "reduction ");
    silent(provenance("c"), "choice");
}

static void groups_are_told_and_checked(void **state)
{
    (void)state;
    RUN("train", "e.yaml", "--dry-run", "parallel.threads=4", "parallel.groups=2");
    expect_success();
    says(last.out, "\nreduction   tree, 2 groups of 4 workers\n");
    RUN("train", "e.yaml", "--out", "a", "parallel.threads=3", "parallel.groups=1");
    expect_success();
    says(provenance("a"), "\"groups\": 1,");
    RUN("verify", "a", "parallel.groups=auto", "parallel.threads=1");
    expect_success();
    RUN("train", "--resume", "a", "parallel.groups=3", "training.epochs=3");
    expect_success();
    RUN("train", "e.yaml", "parallel.groups=3");
    expect_refusal(2, "deltoid: command line: key 'parallel.groups=3': parallel.groups: 3 groups of 2 workers");
    RUN("train", "e.yaml", "parallel.groups=0");
    expect_refusal(2, "deltoid: command line: key 'parallel.groups=0': parallel.groups");
    write_text("bad.yaml", "data: {format: synthetic}\nnetwork: [{units: 3}]\nloss: cross_entropy\n"
                           "parallel: {threads: 2, groups: 9}\n");
    RUN("train", "bad.yaml");
    expect_refusal(2, "deltoid: bad.yaml:4:32: parallel.groups: 9 groups of 2 workers");
}

/* Said before the run, at its end, in its provenance; and verify doesn't train in vain. */
static void what_races_is_labelled(void **state)
{
    (void)state;
    static const char *const racing[] = {"critical", "atomic", "omp", "hogwild"};
    for (size_t i = 0; i < sizeof racing / sizeof *racing; i++) {
        char key[64], run[16];
        snprintf(key, sizeof key, "parallel.reduction=%s", racing[i]);
        snprintf(run, sizeof run, "run%zu", i);
        RUN("train", "e.yaml", "--dry-run", key);
        expect_success();
        says(last.out, ": not reproducible, another run gives other bits\n");
        RUN("train", "e.yaml", "--out", run, key, "--profile");
        expect_success();
        says(last.out, "reduction ");
        says(last.out, ": not reproducible, another run gives other bits\n");
        says(last.out, " (not reproducible)\nrun  ");
        says(provenance(run), "\"deterministic\": false,\n    \"note\": \"not reproducible: ");
        RUN("verify", run);
        expect_refusal(2, "deltoid: run");
        says(last.err, "comparing their SHA-256 makes no sense");
        RUN("eval", run);
        expect_success();
    }
    RUN("train", "e.yaml", "--out", "j", "parallel.reduction=atomic", "--json");
    expect_success();
    says(last.out, "\"deterministic\": false, ");
    RUN("train", "e.yaml", "--out", "t");
    expect_success();
    silent(last.out, "not reproducible");
    RUN("verify", "t", "parallel.reduction=omp");
    expect_refusal(2, "deltoid: command line: parallel.reduction=omp isn't reproducible");
    RUN("help", "reductions");
    expect_success();
    for (size_t i = 0; i < sizeof racing / sizeof *racing; i++) {
        char row[4096];
        snprintf(row, sizeof row, "%s", strstr(last.out, racing[i]));
        *strchr(row, '\n') = '\0';
        says(row, "not reproducible");
    }
    RUN("help", "parallel");
    expect_success();
    says(last.out, "\nparallel.groups\n");
    says(last.out, "  hogwild ");
}

/* A run that went on is as reproducible as the worst of its sessions. */
static void sessions_remember(void **state)
{
    (void)state;
    RUN("train", "e.yaml", "--out", "a", "parallel.reduction=hogwild");
    expect_success();
    RUN("train", "--resume", "a", "parallel.reduction=tree", "training.epochs=4");
    expect_success();
    says(last.out, " (not reproducible)\n");
    says(provenance("a"), "\"reduction\": \"hogwild\",\n      \"deterministic\": false");
    says(provenance("a"), "\"reduction\": \"tree\",\n      \"deterministic\": true");
    RUN("verify", "a");
    expect_refusal(2, "deltoid: a: was trained with a reduction that isn't reproducible");
}

static void hogwild_takes_what_has_a_meaning(void **state)
{
    (void)state;
    RUN("train", "e.yaml", "parallel.reduction=hogwild", "capture.probe.quantities=[z,dW]");
    expect_refusal(
        2, "deltoid: command line: key 'capture.probe.quantities=[z,dW]': capture.probe.quantities: there is no "
           "dW: ");
    RUN("train", "e.yaml", "parallel.reduction=hogwild", "optimizer.momentum=0.9");
    expect_refusal(2, "deltoid: command line: key 'optimizer.momentum=0.9': optimizer.momentum: sgd keeps state");
    RUN("train", "e.yaml", "parallel.reduction=hogwild", "optimizer.name=adam");
    expect_refusal(2, "deltoid: command line: key 'optimizer.name=adam': optimizer.name: adam keeps state");
    RUN("check", "e.yaml", "parallel.reduction=hogwild");
    expect_refusal(2, "deltoid: ");
    says(last.err, "parallel.reduction: hogwild sums no gradient of a whole minibatch");
    RUN("check", "e.yaml", "parallel.reduction=omp", "parallel.groups=1");
    expect_success();
    RUN("check", "e.yaml", "parallel.reduction=atomic");
    expect_success();
    assert_int_equal(access("results", F_OK), -1);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, home_remove)
    const struct CMUnitTest tests[] = {
        TEST(auto_says_why),     TEST(groups_are_told_and_checked),      TEST(what_races_is_labelled),
        TEST(sessions_remember), TEST(hogwild_takes_what_has_a_meaning),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
