/* page.css, made a string by CMakeLists.txt. */
#ifndef DT_REPORT_STYLE_H
#define DT_REPORT_STYLE_H

extern const char dt_report_style[];

#endif
