/* The two sides of hdf5_reader: what is asked, what is answered, and the child's loop. */
#ifndef DT_RECORD_HDF5_SERVE_H
#define DT_RECORD_HDF5_SERVE_H

#include "record/hdf5_reader.h"

enum {
    DT_SERVE_BYTES = 8 << 20, /* at most, of one answer */
    DT_SERVE_PATH = 4096
};

typedef enum dt_serve_kind {
    DT_SERVE_SCAN, /* answers of one dt_capture_dataset each, then an empty one */
    DT_SERVE_READ,
    DT_SERVE_COMPLETE,
    DT_SERVE_ATTRIBUTE, /* dt_hdf5_attribute, then its value; empty past the last */
    DT_SERVE_SOURCE,    /* the name; empty past the last */
    DT_SERVE_FORGET
} dt_serve_kind;

typedef struct dt_serve_request {
    dt_serve_kind kind;
    char path[DT_SERVE_PATH];
    char object[DT_DATASET_NAME];
    char name[64]; /* of an attribute; "": by index */
    int64_t index, end;
    int64_t start[DT_DATASET_RANK], count[DT_DATASET_RANK];
} dt_serve_request;

typedef struct dt_serve_answer {
    dt_status status;
    int64_t size; /* bytes that follow */
    char message[512];
} dt_serve_answer;

typedef struct dt_server {
    int ends[2]; /* of a socket: the child's, the parent's */
    dt_serve_request request;
    dt_serve_answer answer;
    char *bytes; /* (DT_SERVE_BYTES) */
} dt_server;

/* A dt_sandbox_work: answers until nobody asks any more. `context` is a dt_server. */
dt_status dt_serve(void *context, int pipe, dt_error *error);

#endif
