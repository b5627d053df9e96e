/* Everything a C program sees of deltoid. */
#ifndef DELTOID_DELTOID_H
#define DELTOID_DELTOID_H

#include "capture.h"
#include "check.h"
#include "circuit.h"
#include "dataset.h"
#include "experiment.h"
#include "interchange.h"
#include "machine.h"
#include "memory.h"
#include "observer.h"
#include "own.h"
#include "profile.h"
#include "record.h"
#include "status.h"
#include "tables.h"
#include "trainer.h"
#include "version.h"

#endif
