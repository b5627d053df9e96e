/* Drawings of circuits for gnuplot: its objects, arrows and labels, in a plane of pixels; and their numbers,
 * tab-separated. */
#include "plot/circuit.h"

#include <inttypes.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/memory.h"
#include "base/names.h"
#include "deltoid/record.h"
#include "deltoid/version.h"
#include "plot/gnuplot.h"

enum { STEM_MAX = 48, LABEL_MAX = 160 };

static const double DEGREE = 0.017453292519943295;

/* Numbers are written with a point, whatever the program's locale is: from the first call to the second. */
typedef struct plain_numbers {
    locale_t plain, before;
} plain_numbers;

static plain_numbers begin_plain(dt_buffer *out)
{
    plain_numbers p = {.plain = newlocale(LC_NUMERIC_MASK, "C", (locale_t)0)};
    if (p.plain)
        p.before = uselocale(p.plain);
    else
        out->failed = true;
    return p;
}

static void end_plain(plain_numbers p)
{
    if (!p.plain)
        return;
    uselocale(p.before);
    freelocale(p.plain);
}

static const char plane[] =
    "set encoding utf8\n"
    "# The same sizes in all formats: svg counts pixels, pngcairo points, pdfcairo points of its own.\n"
    "if (term eq 'svg') {\n"
    "    set terminal svg size width,height font family.',15' background 'white'\n"
    "} else { if (term eq 'png') {\n"
    "    set terminal pngcairo size width,height font family.',15' fontscale 0.75 background 'white'\n"
    "} else {\n"
    "    set terminal pdfcairo size width / 96.0, height / 96.0 font family.',15' fontscale 0.56 background 'white'\n"
    "} }\n"
    "set output stem.'.'.term\n"
    "unset border\n"
    "unset tics\n"
    "unset key\n"
    "set lmargin at screen 0\n"
    "set rmargin at screen 1\n"
    "set tmargin at screen 1\n"
    "set bmargin at screen 0\n"
    "set xrange [0:width]\n"
    "set yrange [height:0]\n"
    "value = '#00703C'\n"
    "gradient = '#C1121F'\n"
    "plain = '#222222'\n"
    "faint = '#999999'\n"
    "sized(points) = sprintf('%s,%.1f', family, points)\n\n";

static const char *colour(dt_ink ink)
{
    static const char *const names[] = {
        [DT_INK_PLAIN] = "plain", [DT_INK_VALUE] = "value", [DT_INK_GRADIENT] = "gradient", [DT_INK_FAINT] = "faint"};
    return names[ink];
}

/* --- marks --- */

static void add_wire(const dt_mark *m, dt_buffer *out)
{
    dt_buffer_format(out, "set arrow from %.1f,%.1f to %.1f,%.1f %s linewidth %.1f linecolor rgb %s back\n", m->x, m->y,
                     m->x2, m->y2, m->arrow ? "head filled size 9,18" : "nohead", m->size, colour(m->ink));
}

static void add_circle(const dt_mark *m, dt_buffer *out)
{
    dt_buffer_format(out,
                     "set object circle at %.1f,%.1f size %.1f fillcolor rgb %s fillstyle solid border linecolor rgb "
                     "plain linewidth 1.2\n",
                     m->x, m->y, m->size, m->kind == DT_MARK_DOT ? "plain" : "'white'");
}

static void add_box(const dt_mark *m, dt_buffer *out)
{
    dt_buffer_format(out,
                     "set object rectangle from %.1f,%.1f to %.1f,%.1f fillcolor rgb 'white' fillstyle solid border "
                     "linecolor rgb plain "
                     "linewidth 1.2\n",
                     m->x, m->y, m->x2, m->y2);
}

/* gnuplot's own raised and lowered text comes out wrong in an SVG, so each piece is a label. */
static void add_piece(const dt_mark *m, const dt_piece *piece, dt_buffer *out)
{
    const double c = cos(m->angle * DEGREE), s = sin(m->angle * DEGREE);
    char text[DT_MARK_TEXT];
    snprintf(text, sizeof text, "%.*s", (int)piece->length, piece->text);
    dt_gnuplot_add_text(out, "t", text, LABEL_MAX);
    dt_buffer_format(out, "set label t at %.1f,%.1f left noenhanced font sized(%.1f) textcolor rgb %s",
                     m->x + piece->x * c + piece->y * s, m->y - piece->x * s + piece->y * c, piece->size,
                     colour(m->ink));
    if (m->angle != 0)
        dt_buffer_format(out, " rotate by %.1f", m->angle);
    dt_buffer_add(out, " front\n");
}

static void add_label(const dt_mark *m, dt_buffer *out)
{
    dt_piece pieces[DT_PIECES_MAX] = {{.size = m->size, .text = m->text, .length = strlen(m->text)}};
    const size_t count = m->plain ? m->text[0] != '\0' : dt_letters(m->text, m->size, pieces, NULL);
    for (size_t i = 0; i < count; i++)
        add_piece(m, &pieces[i], out);
}

static void add_mark(const dt_mark *m, dt_buffer *out)
{
    switch (m->kind) {
    case DT_MARK_WIRE:
        add_wire(m, out);
        break;
    case DT_MARK_GATE:
    case DT_MARK_DOT:
        add_circle(m, out);
        break;
    case DT_MARK_BOX:
        add_box(m, out);
        break;
    case DT_MARK_LABEL:
        add_label(m, out);
        break;
    }
}

void dt_circuit_script(const dt_drawing *drawing, const char *stem, const char *format, dt_buffer *out)
{
    const plain_numbers plain_now = begin_plain(out);
    dt_buffer_format(out,
                     "# Drawn by deltoid %s. To draw it again, in this folder:\n"
                     "#     gnuplot %s.gp\n"
                     "#     gnuplot -e \"term='pdf'\" %s.gp       (or svg, or png)\n\n"
                     "if (!exists('term')) term = '%s'\nstem = '%s'\nfamily = 'Verdana'\n"
                     "width = %.0f\nheight = %.0f\n",
                     dt_version(), stem, stem, format, stem, ceil(drawing->width), ceil(drawing->height));
    dt_buffer_add(out, plane);
    for (size_t i = 0; i < drawing->count; i++)
        add_mark(&drawing->marks[i], out);
    dt_buffer_add(out, "\nplot NaN\nunset output\n");
    out->failed = out->failed || drawing->failed;
    end_plain(plain_now);
}

/* --- numbers --- */

static void add_place(int64_t place, dt_buffer *out)
{
    if (place < 0)
        dt_buffer_add(out, "\t-");
    else
        dt_buffer_format(out, "\t%" PRId64, place);
}

/* -1: doesn't apply. */
static void add_row(const char *quantity, int64_t l, int64_t j, int64_t k, double value, double gradient,
                    dt_buffer *out)
{
    dt_buffer_add(out, quantity);
    add_place(l, out);
    add_place(j, out);
    add_place(k, out);
    dt_buffer_format(out, "\t%.17g\t%.17g\n", value, gradient);
}

static const char head[] = "quantity\tlayer\tunit\tinput\tvalue\tgradient\n";

void dt_circuit_unit_sheet(const dt_unit_numbers *numbers, dt_buffer *out)
{
    const dt_unit_numbers *n = numbers;
    const plain_numbers plain_now = begin_plain(out);
    dt_buffer_add(out, head);
    for (int64_t k = 0; k < n->inputs; k++) {
        add_row("w", n->l, n->j, k, n->w[k], n->delta * n->a[k], out);
        add_row("a_in", n->l, n->j, k, n->a[k], n->delta * n->w[k], out);
        add_row("product", n->l, n->j, k, n->w[k] * n->a[k], n->delta, out);
    }
    add_row("sum", n->l, n->j, -1, n->sum, n->delta, out);
    add_row("b", n->l, n->j, -1, n->b, n->delta, out);
    add_row("z", n->l, n->j, -1, n->z, n->delta, out);
    if (n->l < n->layers)
        add_row("a", n->l, n->j, -1, n->value, n->back, out);
    else
        add_row("C", -1, -1, -1, n->value, n->back, out);
    end_plain(plain_now);
}

void dt_circuit_network_sheet(const dt_network_numbers *network, dt_buffer *out)
{
    const dt_network_numbers *n = network;
    const plain_numbers plain_now = begin_plain(out);
    dt_buffer_add(out, head);
    for (int64_t k = 0; k < n->units[0]; k++)
        add_row("a", 0, k, -1, n->a[0][k], n->back[0][k], out);
    for (int64_t l = 1; l <= n->layers; l++)
        for (int64_t j = 0; j < n->units[l]; j++) {
            const int64_t inputs = n->units[l - 1];
            const double delta = n->delta[l][j];
            for (int64_t k = 0; k < inputs; k++)
                add_row("w", l, j, k, n->W[l][j * inputs + k], delta * n->a[l - 1][k], out);
            add_row("b", l, j, -1, n->b[l][j], delta, out);
            add_row("z", l, j, -1, n->z[l][j], delta, out);
            if (l < n->layers)
                add_row("a", l, j, -1, n->a[l][j], n->back[l][j], out);
        }
    add_row("C", -1, -1, -1, n->cost, 1, out);
    end_plain(plain_now);
}

/* --- files --- */

static const char *format_name(const void *none, size_t i)
{
    (void)none;
    return dt_gnuplot_format_at(i);
}

/* Takes FOLDER/STEM.FORMAT apart, in place. */
static dt_status split_path(char *path, const char **folder, const char **stem, const char **format, dt_error *error)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path, *dot = strrchr(name, '.');
    if (!dot)
        return dt_fail(error, DT_INVALID, "%s: has no ending; a picture's name ends in .svg, .png or .pdf", path);
    for (size_t i = 0; (*format = dt_gnuplot_format_at(i)) && strcmp(*format, dot + 1) != 0;)
        i++;
    if (!*format)
        return dt_fail_unknown(error, "format", dot + 1, format_name, NULL);
    const size_t length = (size_t)(dot - name);
    if (length < 1 || length > STEM_MAX || strspn(name, allowed) != strlen(name) || name[0] == '.' || name[0] == '-')
        return dt_fail(
            error, DT_INVALID,
            "%s: can't name a picture; use at most %d letters, digits, dots, underscores or dashes, beginning with "
            "one of the first two",
            path, STEM_MAX);
    *dot = '\0';
    *stem = name;
    *folder = slash == path ? "/" : slash ? path : ".";
    if (slash)
        *slash = '\0';
    return DT_OK;
}

/* FOLDER/STEM.ENDING */
static dt_status write_text(const dt_buffer *text, const char *folder, const char *stem, const char *ending,
                            dt_error *error)
{
    dt_buffer path = {0};
    dt_buffer_format(&path, "%s/%s.%s", folder, stem, ending);
    const dt_status status = text->failed || path.failed ? dt_fail_memory(error, "a picture")
                                                         : dt_file_write(path.bytes, text->bytes, text->length, error);
    dt_buffer_clear(&path);
    return status;
}

dt_status dt_circuit_draw(const dt_drawing *drawing, const dt_buffer *numbers, const char *path, dt_error *error)
{
    const char *folder = "", *stem = "", *format = "";
    char *parts = dt_duplicate(path);
    if (!parts)
        return dt_fail_memory(error, "a picture");
    dt_buffer script = {0};
    dt_status status = split_path(parts, &folder, &stem, &format, error);
    if (status == DT_OK) {
        dt_circuit_script(drawing, stem, format, &script);
        status = write_text(&script, folder, stem, "gp", error);
    }
    if (status == DT_OK && numbers)
        status = write_text(numbers, folder, stem, "tsv", error);
    if (status == DT_OK)
        status = dt_gnuplot_run(folder, stem, format, error);
    dt_buffer_clear(&script);
    dt_release(parts);
    return status;
}

dt_status dt_circuit_path_check(const char *path, dt_error *error)
{
    const char *folder = "", *stem = "", *format = "";
    struct stat facts;
    char *parts = dt_duplicate(path);
    if (!parts)
        return dt_fail_memory(error, "a picture");
    dt_status status = split_path(parts, &folder, &stem, &format, error);
    if (status == DT_OK && (stat(folder, &facts) != 0 || !S_ISDIR(facts.st_mode)))
        status = dt_fail(error, DT_NOT_FOUND, "%s: no such folder; make it, or name another", folder);
    dt_release(parts);
    return status;
}
