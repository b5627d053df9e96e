/* A network of 2, 3 and 2 units learns XOR by gradient descent, gate by gate: no matrix in sight. */
#include <deltoid/circuit.h>
#include <stdio.h>

static const double inputs[4][2] = {{0, 0}, {0, 1}, {1, 0}, {1, 1}};
static const int64_t classes[4] = {0, 1, 1, 0};

static double W1[6] = {1.2, -0.9, -0.8, 1.1, 0.7, 0.6}, b1[3], W2[6] = {-0.8, -0.7, 0.3, 0.8, 0.7, -0.3}, b2[2];

/* W -= rate dC/dW of layer l, and b. */
static void descend(const dt_network_circuit *n, int64_t l, double *W, double *b, double rate)
{
    const int64_t units = dt_network_circuit_units(n, l), below = dt_network_circuit_units(n, l - 1);
    for (int64_t j = 0; j < units; j++) {
        for (int64_t k = 0; k < below; k++)
            W[j * below + k] -= rate * dt_circuit_gradient(dt_network_circuit_w(n, l, j, k));
        b[j] -= rate * dt_circuit_gradient(dt_network_circuit_b(n, l, j));
    }
}

int main(void)
{
    const dt_network_circuit_spec spec = {.layers = 2,
                                          .units = (int64_t[]){2, 3, 2},
                                          .activation = (const char *const[]){NULL, "tanh"},
                                          .loss = "cross_entropy",
                                          .W = (const double *const[]){NULL, W1, W2},
                                          .b = (const double *const[]){NULL, b1, b2},
                                          .x = inputs[0]};
    dt_error error = {0};
    dt_network_circuit *n;
    dt_status status = dt_network_circuit_create(&n, &spec, &error);
    for (int step = 0; step <= 400 && status == DT_OK; step++) {
        double cost = 0;
        int right = 0;
        for (int i = 0; i < 4 && status == DT_OK; i++) {
            dt_network_circuit_parameters(n, 1, W1, b1);
            dt_network_circuit_parameters(n, 2, W2, b2);
            dt_network_circuit_sample(n, inputs[i], classes[i], NULL);
            status = dt_network_circuit_run(n, &error);
            cost += dt_circuit_value(dt_network_circuit_cost(n)) / 4;
            const int answer =
                dt_circuit_value(dt_network_circuit_z(n, 2, 1)) > dt_circuit_value(dt_network_circuit_z(n, 2, 0));
            right += answer == classes[i];
            descend(n, 1, W1, b1, 0.2);
            descend(n, 2, W2, b2, 0.2);
        }
        if (step % 100 == 0)
            printf("step %3d   mean cost %.4f   right %d of 4\n", step, cost, right);
    }
    if (status != DT_OK)
        fprintf(stderr, "%s\n", error.message);
    dt_network_circuit_destroy(n);
    return dt_status_exit(status);
}
