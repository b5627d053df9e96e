/* What a run was made with, and how to make it again. */
#include <string.h>

#include "report/html.h"
#include "report/sections.h"

typedef struct named {
    const char *name, *path;
    bool code; /* a hash, flags: in a fixed width */
} named;

static void add_table(const char *caption, const named *rows, size_t count, const dt_facts *facts, dt_page *page)
{
    dt_html_facts_begin(&page->body, caption);
    for (size_t i = 0; i < count; i++)
        (rows[i].code ? dt_html_fact_code : dt_html_fact)(&page->body, rows[i].name,
                                                          dt_facts_find(facts, "%s", rows[i].path));
    dt_html_table_end(&page->body);
}

void dt_report_environment(const dt_facts *provenance, dt_page *page)
{
    static const named build[] = {
        {"deltoid", "deltoid.version", false},   {"commit", "deltoid.git_commit", true},
        {"compiler", "deltoid.compiler", false}, {"flags", "deltoid.flags", true},
        {"build", "deltoid.build_type", false},  {"HDF5", "libraries.hdf5", false},
        {"OpenMP", "libraries.openmp", false},   {"hwloc", "libraries.hwloc", false},
        {"OpenSSL", "libraries.openssl", false}, {"libfyaml", "libraries.libfyaml", false},
        {"glibc", "libraries.glibc", false},
    };
    static const named machine[] = {
        {"processor", "machine.processor", false},
        {"instruction set", "parallel.instruction_set", false},
        {"architecture", "machine.architecture", false},
        {"packages", "machine.packages", false},
        {"cores", "machine.cores", false},
        {"processing units", "machine.pus", false},
        {"NUMA nodes", "machine.numa_nodes", false},
        {"memory, bytes", "machine.memory_bytes", false},
        {"affinity", "machine.affinity", false},
        {"system", "machine.system", false},
        {"release", "machine.release", false},
        {"host", "machine.hostname", false},
    };
    add_table("Build", build, sizeof build / sizeof *build, provenance, page);
    add_table("Machine", machine, sizeof machine / sizeof *machine, provenance, page);
}

dt_status dt_section_provenance(const dt_reported *r, dt_page *page, dt_error *error)
{
    static const named run[] = {
        {"weights, SHA-256", "weights_sha256", true},
        {"experiment, SHA-256", "experiment_sha256", true},
        {"training inputs, SHA-256", "data.train.inputs_sha256", true},
        {"training labels, SHA-256", "data.train.labels_sha256", true},
        {"validation inputs, SHA-256", "data.validation.inputs_sha256", true},
        {"validation labels, SHA-256", "data.validation.labels_sha256", true},
        {"test inputs, SHA-256", "data.test.inputs_sha256", true},
        {"test labels, SHA-256", "data.test.labels_sha256", true},
        {"started", "started", false},
        {"finished", "finished", false},
        {"workers", "parallel.threads", false},
        {"reduction", "parallel.reduction", false},
        {"reproducible bits", "parallel.deterministic", false},
        {"shards of samples", "parallel.shard_size", false},
    };
    (void)error;
    if (r->run->provenance.count == 0)
        return DT_OK;
    add_table("Run", run, sizeof run / sizeof *run, &r->run->provenance, page);
    dt_report_environment(&r->run->provenance, page);
    return DT_OK;
}

dt_status dt_section_again(const dt_reported *r, dt_page *page, dt_error *error)
{
    dt_buffer commands = {0};
    const char *weights = dt_facts_find(&r->run->provenance, "weights_sha256");
    (void)error;
    if (!r->run->text || !*r->run->text)
        return DT_OK;
    dt_buffer_add(&commands, "deltoid verify ");
    dt_html_shell_word(&commands, r->run->path);
    dt_buffer_add(&commands, "\ndeltoid train ");
    dt_html_shell_word(&commands, r->run->path);
    dt_buffer_add(&commands, "/experiment.yaml\n");
    dt_page_paragraph(page, "The first command trains again and compares the bits with this run's; the second makes a "
                            "run of its own. Any number of workers gives the same weights.");
    dt_html_pre(&page->body, "Commands", commands.bytes ? commands.bytes : "");
    if (*weights) {
        dt_buffer_add(&page->body, "<p>The weights' SHA-256 is then <code>");
        dt_html_text(&page->body, weights);
        dt_buffer_add(&page->body, "</code>.</p>\n");
    }
    page->body.failed = page->body.failed || commands.failed;
    dt_buffer_clear(&commands);
    return DT_OK;
}

dt_status dt_section_experiment(const dt_reported *r, dt_page *page, dt_error *error)
{
    (void)error;
    if (r->run->text && *r->run->text)
        dt_html_pre(&page->body, "experiment.yaml", r->run->text);
    return DT_OK;
}
