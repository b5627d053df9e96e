/* What activations are in ONNX: one table, by their names. To add one, add its line in onnx_activation.c.
 *
 * A form is a few statements that lead from z to a, apart by ';':
 *
 *     u = Mul z $; a = Sin u           operator and its inputs
 *     a = Elu z alpha=$                NAME=NUMBER is a float attribute
 *
 * Inputs are z, names to the left of an earlier '=', numbers, and $, the layer's parameter (dt_activation_parameter).
 * All operators are in opset 13.
 */
#ifndef DT_RECORD_ONNX_ACTIVATION_H
#define DT_RECORD_ONNX_ACTIVATION_H

#include "deltoid/experiment.h"

/* NULL where there is none of that name; "" for linear. float64 has forms of its own where onnxruntime has the operator
 * for float alone. */
const char *dt_onnx_activation(const char *name, dt_precision precision);

#endif
