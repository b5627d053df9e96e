#include "record/onnx_activation.h"

#include <string.h>

#define ROOT_HALF       "0.70710678118654752440"
#define TWICE_ROOT_2_PI "1.5957691216057307117"
#define SELU_ALPHA      "1.6732632423543772848"
#define SELU_SCALE      "1.0507009873554804934"

/* s = ln(1 + exp(v)) without overflow: max(0, v) + ln(1 + exp(-|v|)) */
#define SOFTPLUS64(v) "m = Abs " v "; n = Neg m; e = Exp n; o = Add e 1; l = Log o; r = Relu " v "; s = Add r l; "

static const struct {
    const char *name, *form;
    const char *form64; /* NULL: the same */
} forms[] = {
    {"linear", "", NULL},
    {"sigmoid", "a = Sigmoid z", NULL},
    {"tanh", "a = Tanh z", NULL},
    {"relu", "a = Relu z", NULL},
    {"leaky_relu", "a = LeakyRelu z alpha=$", "p = Relu z; n = Neg z; m = Relu n; s = Mul m $; a = Sub p s"},
    {"softsign", "a = Softsign z", "m = Abs z; d = Add m 1; a = Div z d"},
    {"elu", "a = Elu z alpha=$", "n = Min z 0; e = Exp n; d = Sub e 1; s = Mul d $; p = Relu z; a = Add p s"},
    {"selu", "a = Selu z alpha=" SELU_ALPHA " gamma=" SELU_SCALE,
     "n = Min z 0; e = Exp n; d = Sub e 1; s = Mul d " SELU_ALPHA "; p = Relu z; t = Add p s; a = Mul t " SELU_SCALE},
    {"gelu", "u = Mul z " ROOT_HALF "; e = Erf u; p = Add e 1; h = Mul z 0.5; a = Mul h p", NULL},
    {"gelu_tanh", /* z (1 + tanh u) / 2 = z sigmoid(2 u) */
     "q = Mul z z; c = Mul q 0.044715; d = Add c 1; k = Mul z " TWICE_ROOT_2_PI "; u = Mul k d; s = Sigmoid u; "
     "a = Mul z s",
     NULL},
    {"silu", "s = Sigmoid z; a = Mul z s", NULL},
    {"softplus", "v = Mul z $; s = Softplus v; a = Div s $", "v = Mul z $; " SOFTPLUS64("v") "a = Div s $"},
    {"mish", "s = Softplus z; t = Tanh s; a = Mul z t", SOFTPLUS64("z") "t = Tanh s; a = Mul z t"},
    {"hard_tanh", "a = Clip z -1 1", NULL},
    {"hard_sigmoid", "u = Add z 3; c = Clip u 0 6; a = Div c 6", NULL},
    {"relu6", "a = Clip z 0 6", NULL},
    {"exp", "a = Exp z", NULL},
    {"sine", "u = Mul z $; a = Sin u", NULL},
};

const char *dt_onnx_activation(const char *name, dt_precision precision)
{
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++)
        if (strcmp(forms[i].name, name) == 0)
            return precision == DT_FLOAT64 && forms[i].form64 ? forms[i].form64 : forms[i].form;
    return NULL;
}
