/* A picture that gnuplot wrote, put into a page: without its head, its names made the page's own (several pictures of
 * one page would share gnuplot_canvas), and with a title for those who can't see it.
 */
#ifndef DT_REPORT_SVG_H
#define DT_REPORT_SVG_H

#include "base/buffer.h"
#include "deltoid/status.h"

/* `name` (letters, digits, -) goes before every id; `class` becomes the picture's. Only elements, attributes and links
 * that a drawing needs are let through: DT_MALFORMED with what else there is (scripts, links out of the page), and
 * nothing is to be used then. */
dt_status dt_svg_add(dt_buffer *out, const char *svg, const char *name, const char *class, const char *title,
                     dt_error *error);

#endif
