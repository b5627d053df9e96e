/* Everything a C program sees of deltoid. */
#ifndef DELTOID_DELTOID_H
#define DELTOID_DELTOID_H

#include "circuit.h"
#include "check.h"
#include "dataset.h"
#include "experiment.h"
#include "machine.h"
#include "memory.h"
#include "observer.h"
#include "own.h"
#include "record.h"
#include "status.h"
#include "tables.h"
#include "trainer.h"
#include "version.h"

#endif
