/* A program's own activations and costs, as the engine sees them. deltoid/own.h registers them. */
#ifndef DT_NN_OWN_H
#define DT_NN_OWN_H

#include "deltoid/own.h"

/* Puts one behind the last; the caller has checked it. false where there is no room. */
bool dt_own_activation_add(const dt_own_activation *own);
bool dt_own_loss_add(const dt_own_loss *own);

#if defined(DT_PRECISION)
#include "nn/activation.h"
#include "nn/loss.h"

/* Those of that name in this precision, or NULL. */
#define dt_own_activation_named DT_R(dt_own_activation_named)
const dt_activation *dt_own_activation_named(const char *name);
#define dt_own_loss_named DT_R(dt_own_loss_named)
const dt_loss *dt_own_loss_named(const char *name);
#endif

#endif
