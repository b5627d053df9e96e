/* One unit, a = tanh(w_1 x_1 + w_2 x_2 + b), and how far each number moves C = 1/2 (a - 1)^2. */
#include <deltoid/circuit.h>
#include <stdio.h>

int main(void)
{
    dt_error error = {0};
    dt_circuit *c;
    if (dt_circuit_create(&c, &error) != DT_OK)
        return fprintf(stderr, "%s\n", error.message), 3;
    dt_gate *x1 = dt_circuit_input(c, 1), *w1 = dt_circuit_input(c, 0.5);
    dt_gate *x2 = dt_circuit_input(c, -2), *w2 = dt_circuit_input(c, -0.25);
    dt_gate *b = dt_circuit_input(c, 0.1);

    dt_gate *products[] = {dt_circuit_multiply(c, w1, x1), dt_circuit_multiply(c, w2, x2)};
    dt_gate *sum = dt_circuit_add(c, 2, products);
    dt_gate *z = dt_circuit_add(c, 2, (dt_gate *[]){sum, b});
    dt_gate *a = dt_circuit_activation(c, "tanh", z);
    dt_gate *cost = dt_circuit_cost(c, "squared_error", 1, &a, 0); /* one output, whose target is 1 */

    dt_status status = dt_circuit_forward(c, &error);
    if (status == DT_OK)
        status = dt_circuit_backward(cost, &error);
    if (status != DT_OK)
        fprintf(stderr, "%s\n", error.message);

    dt_gate *const gates[] = {w1, x1, w2, x2, b, sum, z, a, cost};
    static const char *const names[] = {"w_1", "x_1", "w_2", "x_2", "b", "sum", "z", "a", "C"};
    printf("%-6s %10s %10s\n", "", "value", "gradient");
    for (int i = 0; i < 9 && status == DT_OK; i++)
        printf("%-6s %10.4f %10.4f\n", names[i], dt_circuit_value(gates[i]), dt_circuit_gradient(gates[i]));
    dt_circuit_destroy(c);
    return dt_status_exit(status);
}
