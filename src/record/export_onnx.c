/* ONNX models, written. Field numbers are those of onnx.proto (github.com/onnx/onnx, IR version 7); each message is one
 * function here. Weights go from the trainer to the file layer by layer: the lengths that precede them are known. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "deltoid/interchange.h"
#include "deltoid/version.h"
#include "record/layer_weights.h"
#include "record/onnx_activation.h"
#include "record/protobuf.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "raw_data of a TensorProto is little-endian");

enum { IR_VERSION = 7, OPSET = 13, NAME = 64 };

/* onnx.proto, by message */
enum { MODEL_IR = 1, MODEL_PRODUCER, MODEL_PRODUCER_VERSION, MODEL_DOC = 6, MODEL_GRAPH, MODEL_OPSET, MODEL_META = 14 };
enum { OPSET_DOMAIN = 1, OPSET_VERSION };
enum { META_KEY = 1, META_VALUE };
enum { GRAPH_NODE = 1, GRAPH_NAME, GRAPH_INITIALIZER = 5, GRAPH_INPUT = 11, GRAPH_OUTPUT };
enum { NODE_INPUT = 1, NODE_OUTPUT, NODE_NAME, NODE_OPERATOR, NODE_ATTRIBUTE };
enum { ATTRIBUTE_NAME = 1, ATTRIBUTE_FLOAT, ATTRIBUTE_INT, ATTRIBUTE_TYPE = 20 };
enum { ATTRIBUTE_IS_FLOAT = 1, ATTRIBUTE_IS_INT };
enum { TENSOR_DIMS = 1, TENSOR_TYPE, TENSOR_NAME = 8, TENSOR_RAW };
enum { ELEMENT_FLOAT = 1, ELEMENT_DOUBLE = 11 };
enum { VALUE_NAME = 1, VALUE_TYPE };
enum { TYPE_TENSOR = 1, TENSOR_TYPE_ELEMENT = 1, TENSOR_TYPE_SHAPE, SHAPE_DIM = 1, DIM_VALUE = 1, DIM_PARAM };

typedef struct onnx {
    const dt_trainer *trainer;
    const dt_experiment *experiment;
    const dt_onnx_options *options;
    dt_protobuf graph; /* all of GraphProto but the weights */
    int nodes;
    char weights_sha256[65];
} onnx;

static int element_of(const onnx *o)
{
    return o->experiment->precision == DT_FLOAT32 ? ELEMENT_FLOAT : ELEMENT_DOUBLE;
}

/* --- the graph's parts --- */

/* NodeProto: begin, inputs in their order, attributes, end. */
static dt_protobuf node_begin(const char *const *inputs, size_t count)
{
    dt_protobuf node = {.bytes = NULL};
    for (size_t i = 0; i < count; i++)
        dt_protobuf_text(&node, NODE_INPUT, inputs[i]);
    return node;
}

static void node_end(onnx *o, dt_protobuf *node, const char *operator, const char * output)
{
    char name[NAME];
    snprintf(name, sizeof name, "node%02d.%s", o->nodes++, operator);
    dt_protobuf_text(node, NODE_OUTPUT, output);
    dt_protobuf_text(node, NODE_NAME, name);
    dt_protobuf_text(node, NODE_OPERATOR, operator);
    dt_protobuf_message(&o->graph, GRAPH_NODE, node);
}

static void node_float(dt_protobuf *node, const char *name, double value)
{
    dt_protobuf attribute = {.bytes = NULL};
    dt_protobuf_text(&attribute, ATTRIBUTE_NAME, name);
    dt_protobuf_float(&attribute, ATTRIBUTE_FLOAT, (float)value);
    dt_protobuf_integer(&attribute, ATTRIBUTE_TYPE, ATTRIBUTE_IS_FLOAT);
    dt_protobuf_message(node, NODE_ATTRIBUTE, &attribute);
}

static void node_int(dt_protobuf *node, const char *name, int64_t value)
{
    dt_protobuf attribute = {.bytes = NULL};
    dt_protobuf_text(&attribute, ATTRIBUTE_NAME, name);
    dt_protobuf_integer(&attribute, ATTRIBUTE_INT, value);
    dt_protobuf_integer(&attribute, ATTRIBUTE_TYPE, ATTRIBUTE_IS_INT);
    dt_protobuf_message(node, NODE_ATTRIBUTE, &attribute);
}

/* TensorProto up to its numbers, of which `bytes` follow. */
static void tensor_head(const onnx *o, dt_protobuf *tensor, const char *name, int rank, const int64_t *size,
                        size_t bytes)
{
    for (int i = 0; i < rank; i++)
        dt_protobuf_integer(tensor, TENSOR_DIMS, size[i]);
    dt_protobuf_integer(tensor, TENSOR_TYPE, element_of(o));
    dt_protobuf_text(tensor, TENSOR_NAME, name);
    dt_protobuf_head(tensor, TENSOR_RAW, bytes);
}

/* A small tensor: a number of rank 0, or a row. */
static void put_constants(onnx *o, const char *name, int rank, int64_t count, const double *numbers)
{
    dt_protobuf tensor = {.bytes = NULL};
    const size_t size = dt_precision_size(o->experiment->precision);
    tensor_head(o, &tensor, name, rank, &count, (size_t)count * size);
    for (int64_t i = 0; i < count; i++) {
        const float single = (float)numbers[i];
        dt_protobuf_raw(&tensor, size == sizeof single ? (const void *)&single : &numbers[i], size);
    }
    dt_protobuf_message(&o->graph, GRAPH_INITIALIZER, &tensor);
}

/* ValueInfoProto: (sample, width), however many samples. */
static void put_value(onnx *o, unsigned field, const char *name, int64_t width)
{
    dt_protobuf value = {0}, type = {0}, tensor = {0}, shape = {0}, samples = {0}, units = {0};
    dt_protobuf_text(&samples, DIM_PARAM, "sample");
    dt_protobuf_integer(&units, DIM_VALUE, width);
    dt_protobuf_message(&shape, SHAPE_DIM, &samples);
    dt_protobuf_message(&shape, SHAPE_DIM, &units);
    dt_protobuf_integer(&tensor, TENSOR_TYPE_ELEMENT, element_of(o));
    dt_protobuf_message(&tensor, TENSOR_TYPE_SHAPE, &shape);
    dt_protobuf_message(&type, TYPE_TENSOR, &tensor);
    dt_protobuf_text(&value, VALUE_NAME, name);
    dt_protobuf_message(&value, VALUE_TYPE, &type);
    dt_protobuf_message(&o->graph, field, &value);
}

/* --- activations, from their forms --- */

typedef struct form_reader {
    onnx *o;
    int64_t l;
    double parameter;
    const char *z, *a; /* the tensors' names */
} form_reader;

/* The tensor that an input of a form names, in `name`; a number becomes an initializer that only this input has. */
static void name_input(form_reader *r, const char *word, int input, char name[NAME])
{
    if (strcmp(word, "z") == 0) {
        snprintf(name, NAME, "%s", r->z);
    } else if (*word == '$' || *word == '-' || (*word >= '0' && *word <= '9')) {
        const double number = *word == '$' ? r->parameter : strtod(word, NULL);
        snprintf(name, NAME, "layer%02d.constant%02d.%d", (int)r->l, r->o->nodes, input);
        put_constants(r->o, name, 0, 1, &number);
    } else {
        snprintf(name, NAME, "layer%02d.%.16s", (int)r->l, word);
    }
}

/* OUTPUT = OPERATOR INPUT ... ATTRIBUTE=NUMBER ... */
static void put_statement(form_reader *r, char *statement)
{
    char *rest = statement, *word, name[NAME], output[NAME];
    const char *left = strtok_r(rest, " ", &rest);
    snprintf(output, sizeof output, "layer%02d.%.16s", (int)r->l, left);
    (void)strtok_r(rest, " ", &rest); /* = */
    const char *operator= strtok_r(rest, " ", &rest);
    dt_protobuf node = {.bytes = NULL};
    for (int input = 0; (word = strtok_r(rest, " ", &rest)); input++) {
        char *number = strchr(word, '=');
        if (number) {
            *number++ = '\0';
            node_float(&node, word, *number == '$' ? r->parameter : strtod(number, NULL));
        } else {
            name_input(r, word, input, name);
            dt_protobuf_text(&node, NODE_INPUT, name);
        }
    }
    node_end(r->o, &node, operator, strcmp(left, "a") == 0 ? r->a : output);
}

static void put_activation(onnx *o, int64_t l, const char *form, const char *z, const char *a)
{
    form_reader r = {o, l, dt_activation_parameter(&o->experiment->network[l - 1]), z, a};
    char copy[512], *rest = copy, *statement;
    snprintf(copy, sizeof copy, "%s", form);
    while ((statement = strtok_r(rest, ";", &rest)))
        put_statement(&r, statement);
}

/* --- the graph --- */

/* x from the inputs as the files have them: the name of what layer 1 sees. */
static const char *put_scaling(onnx *o, int64_t features)
{
    const dt_transform *t = o->options->transform;
    if (t && t->shift) {
        put_constants(o, "shift", 1, features, t->shift);
        put_constants(o, "factor", 1, features, t->factor);
        dt_protobuf node = node_begin((const char *const[]){"inputs", "shift"}, 2);
        node_end(o, &node, "Sub", "shifted");
        node = node_begin((const char *const[]){"shifted", "factor"}, 2);
        node_end(o, &node, "Mul", "layer00.a");
        return "layer00.a";
    }
    if (o->experiment->data.scale == 1)
        return "inputs";
    put_constants(o, "scale", 0, 1, &o->experiment->data.scale);
    dt_protobuf node = node_begin((const char *const[]){"inputs", "scale"}, 2);
    node_end(o, &node, "Mul", "layer00.a");
    return "layer00.a";
}

/* (1) and (2); what the next layer sees goes from `before` to `after`. */
static dt_status put_layer(onnx *o, int64_t l, const char *before, const char *after, dt_error *error)
{
    const dt_layer_spec *spec = &o->experiment->network[l - 1];
    const char *form = dt_onnx_activation(spec->activation, o->experiment->precision);
    char W[NAME], b[NAME], z[NAME];
    if (!form)
        return dt_fail(error, DT_UNSUPPORTED,
                       "network.%d.activation: %.64s has no form in ONNX; export to .npz, which takes any network",
                       (int)l - 1, spec->activation);
    snprintf(W, sizeof W, DT_WEIGHTS_W, (int)l);
    snprintf(b, sizeof b, DT_WEIGHTS_B, (int)l);
    snprintf(z, sizeof z, "layer%02d.z", (int)l);
    dt_protobuf node = node_begin((const char *const[]){before, W, b}, 3);
    node_int(&node, "transB", 1); /* W is (unit, input) */
    node_end(o, &node, "Gemm", *form ? z : after);
    put_activation(o, l, form, z, after);
    return DT_OK;
}

static dt_status put_graph(onnx *o, dt_error *error)
{
    const int64_t L = (int64_t)o->experiment->layer_count;
    const dt_output output = o->options->output;
    char before[NAME], after[NAME];
    snprintf(before, sizeof before, "%s", put_scaling(o, dt_trainer_units(o->trainer, 0)));
    for (int64_t l = 1; l <= L; l++) {
        if (l == L && output == DT_OUTPUT_SCORES)
            snprintf(after, sizeof after, "outputs");
        else
            snprintf(after, sizeof after, "layer%02d.a", (int)l);
        dt_status status = put_layer(o, l, before, after, error);
        if (status != DT_OK)
            return status;
        memcpy(before, after, sizeof before);
    }
    if (output != DT_OUTPUT_SCORES) {
        dt_protobuf node = node_begin((const char *const[]){before}, 1);
        if (output == DT_OUTPUT_SOFTMAX)
            node_int(&node, "axis", 1);
        node_end(o, &node, output == DT_OUTPUT_SOFTMAX ? "Softmax" : "Sigmoid", "outputs");
    }
    dt_protobuf_text(&o->graph, GRAPH_NAME, o->experiment->name ? o->experiment->name : "network");
    put_value(o, GRAPH_INPUT, "inputs", dt_trainer_units(o->trainer, 0));
    put_value(o, GRAPH_OUTPUT, "outputs", dt_trainer_units(o->trainer, L));
    return o->graph.failed ? dt_fail_memory(error, "the ONNX model") : DT_OK;
}

static void put_meta(dt_protobuf *model, const char *key, const char *value)
{
    dt_protobuf entry = {.bytes = NULL};
    if (!value)
        return;
    dt_protobuf_text(&entry, META_KEY, key);
    dt_protobuf_text(&entry, META_VALUE, value);
    dt_protobuf_message(model, MODEL_META, &entry);
}

/* All of ModelProto but the graph, which follows: its length is the last thing here. */
static void put_model(const onnx *o, dt_protobuf *model, size_t graph_bytes)
{
    dt_protobuf opset = {.bytes = NULL};
    dt_protobuf_integer(model, MODEL_IR, IR_VERSION);
    dt_protobuf_text(model, MODEL_PRODUCER, "deltoid");
    dt_protobuf_text(model, MODEL_PRODUCER_VERSION, dt_version());
    dt_protobuf_text(model, MODEL_DOC,
                     "inputs (sample, input): numbers as the data files have them; outputs (sample, unit)");
    dt_protobuf_text(&opset, OPSET_DOMAIN, "");
    dt_protobuf_integer(&opset, OPSET_VERSION, OPSET);
    dt_protobuf_message(model, MODEL_OPSET, &opset);
    put_meta(model, "experiment_sha256", o->options->experiment_sha256);
    put_meta(model, "weights_sha256", o->weights_sha256);
    put_meta(model, "loss", o->experiment->loss);
    put_meta(model, "precision", dt_precision_name(o->experiment->precision));
    dt_protobuf_head(model, MODEL_GRAPH, graph_bytes);
}

/* --- the weights, and the file --- */

/* GRAPH_INITIALIZER of W^l or b^l up to its numbers; where memory is out, to->failed. */
static void put_array_head(const onnx *o, dt_protobuf *to, const dt_weights_array *array)
{
    dt_protobuf tensor = {.bytes = NULL};
    tensor_head(o, &tensor, array->name, array->rank, array->size, array->bytes);
    dt_protobuf_head(to, GRAPH_INITIALIZER, tensor.used + array->bytes);
    dt_protobuf_append(to, &tensor);
    dt_protobuf_clear(&tensor);
}

/* Bytes of the graph with all weights. DT_UNSUPPORTED where they are too many. */
static dt_status measure(const onnx *o, size_t *bytes, dt_error *error)
{
    dt_weights_array array;
    *bytes = o->graph.used;
    for (int i = 0; dt_weights_array_at(o->trainer, i, &array); i++) {
        dt_protobuf head = {.bytes = NULL};
        put_array_head(o, &head, &array);
        const bool failed = head.failed;
        *bytes += head.used + array.bytes;
        dt_protobuf_clear(&head);
        if (failed)
            return dt_fail_memory(error, "the ONNX model");
        if (*bytes > INT32_MAX - (1 << 16))
            return dt_fail(error, DT_UNSUPPORTED,
                           "the network: has 2 GiB of weights or more, which no ONNX file holds; export to .npz");
    }
    return DT_OK;
}

static dt_status write_bytes(const dt_new_file *file, dt_protobuf *bytes, dt_error *error)
{
    dt_status status = bytes->failed ? dt_fail_memory(error, "the ONNX model")
                                     : dt_write_all(file->fd, bytes->bytes, bytes->used, file->path, error);
    dt_protobuf_clear(bytes);
    return status;
}

static dt_status write_file(onnx *o, const dt_new_file *file, dt_error *error)
{
    dt_layer_weights weights;
    dt_weights_array array;
    dt_protobuf model = {.bytes = NULL};
    size_t graph_bytes = 0;
    dt_status status = dt_layer_weights_open(&weights, o->trainer, error);
    if (status == DT_OK)
        status = measure(o, &graph_bytes, error);
    if (status == DT_OK) {
        put_model(o, &model, graph_bytes);
        dt_protobuf_append(&model, &o->graph);
        status = write_bytes(file, &model, error);
    }
    for (int i = 0; status == DT_OK && dt_weights_array_at(o->trainer, i, &array); i++) {
        dt_protobuf head = {.bytes = NULL};
        put_array_head(o, &head, &array);
        status = write_bytes(file, &head, error);
        if (status == DT_OK)
            status = dt_write_all(file->fd, dt_layer_weights_numbers(&weights, i), array.bytes, file->path, error);
    }
    dt_layer_weights_close(&weights);
    return status;
}

dt_status dt_export_onnx(const char *path, const dt_trainer *trainer, const dt_onnx_options *options, dt_error *error)
{
    onnx o = {.trainer = trainer, .experiment = dt_trainer_experiment(trainer), .options = options};
    dt_new_file file;
    dt_status status = dt_trainer_weights_sha256(trainer, o.weights_sha256, error);
    if (status == DT_OK)
        status = put_graph(&o, error);
    if (status == DT_OK)
        status = dt_new_file_begin(&file, path, error);
    if (status == DT_OK) {
        status = write_file(&o, &file, error);
        if (status == DT_OK)
            status = dt_new_file_publish(&file, false, error);
        else
            dt_new_file_discard(&file);
    }
    dt_protobuf_clear(&o.graph);
    return status;
}
