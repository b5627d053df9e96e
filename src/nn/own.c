#include "nn/own.h"

static struct {
    dt_own_activation activation[DT_OWN_MAX];
    size_t activations;
    dt_own_loss loss[DT_OWN_MAX];
    size_t losses;
} own;

bool dt_own_activation_add(const dt_own_activation *activation)
{
    if (own.activations == DT_OWN_MAX)
        return false;
    own.activation[own.activations++] = *activation;
    return true;
}

bool dt_own_loss_add(const dt_own_loss *loss)
{
    if (own.losses == DT_OWN_MAX)
        return false;
    own.loss[own.losses++] = *loss;
    return true;
}

const dt_own_activation *dt_own_activation_at(size_t i)
{
    return i < own.activations ? &own.activation[i] : NULL;
}

const dt_own_loss *dt_own_loss_at(size_t i)
{
    return i < own.losses ? &own.loss[i] : NULL;
}
