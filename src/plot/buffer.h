/* base/buffer.h, by the name it had: for files of this room that were written before it moved. */
#ifndef DT_PLOT_BUFFER_H
#define DT_PLOT_BUFFER_H

#include "base/buffer.h"

#endif
