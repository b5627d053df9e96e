/* Two gates, z = w a + b, and what each input does to z. */
#include <deltoid/circuit.h>
#include <stdio.h>

int main(void)
{
    dt_error error = {0};
    dt_circuit *c;
    if (dt_circuit_create(&c, &error) != DT_OK)
        return fprintf(stderr, "%s\n", error.message), 3;
    dt_gate *w = dt_circuit_input(c, 3), *a = dt_circuit_input(c, -2), *b = dt_circuit_input(c, 7);
    dt_gate *wa = dt_circuit_multiply(c, w, a);
    dt_gate *z = dt_circuit_add(c, 2, (dt_gate *[]){wa, b});

    dt_status status = dt_circuit_forward(c, &error);
    if (status == DT_OK)
        status = dt_circuit_backward(z, &error);
    if (status == DT_OK)
        printf("z = %g   dz/dw = %g   dz/da = %g   dz/db = %g\n", dt_circuit_value(z), dt_circuit_gradient(w),
               dt_circuit_gradient(a), dt_circuit_gradient(b));
    else
        fprintf(stderr, "%s\n", error.message);
    dt_circuit_destroy(c);
    return dt_status_exit(status);
}
