/* The parts of dt_products that are in files of their own, for the instruction set being compiled. */
#ifndef DT_KERNELS_GRADIENT_H
#define DT_KERNELS_GRADIENT_H

#include "kernels/products.h"

void DT_VARIANT(dt_gradient)(const dt_gradient_task *task, const dt_finish *finish);
void DT_VARIANT(dt_join)(const dt_blocks *layer, int64_t block, int64_t count, const dt_real *left,
                         const dt_real *right, dt_real *scratch, const dt_finish *finish);
void DT_VARIANT(dt_transpose)(const dt_real *from, dt_real *to);

#endif
