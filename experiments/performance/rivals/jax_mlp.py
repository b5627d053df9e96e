"""JAX: many steps compiled as one scan, the fastest of its forms on these networks."""
import os

import tool


def build(a):
    tool.set_threads(a.threads)
    os.environ["JAX_PLATFORMS"] = "cpu"
    if a.threads == 1:
        os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false " + os.environ.get("XLA_FLAGS", "")
    import jax
    import jax.numpy as jnp
    import numpy as np
    data, L = tool.Data(a.data, a.units[0]), a.layers
    minibatches = tool.Minibatches(a, len(data.x))
    B = minibatches.size
    # Minibatches in a scan: some 8 GFLOP, a tenth of a second, so that starting one costs nothing.
    scan = int(min(500, max(1, 8e9 / (tool.flops(a.units) * B))))
    x, y = jnp.asarray(data.x), jnp.asarray(data.y)
    sigma = {"relu": jax.nn.relu, "sigmoid": jax.nn.sigmoid, "tanh": jnp.tanh}[a.activation]
    state = {}

    def forward(weights, h):
        for W, b in weights[:-1]:
            h = sigma(h @ W + b)
        W, b = weights[-1]
        return h @ W + b

    def cost(weights, inputs, labels):
        return -jnp.take_along_axis(jax.nn.log_softmax(forward(weights, inputs)), labels[:, None], 1).mean()

    @jax.jit
    def answers(weights, inputs):
        return forward(weights, inputs).argmax(1)

    def many(weights, inputs, labels, rows):
        def one(weights, i):
            gradient = jax.grad(cost)(weights, inputs[i], labels[i])
            return jax.tree.map(lambda w, g: w - a.rate * g, weights, gradient), None
        return jax.lax.scan(one, weights, rows)[0]

    many = jax.jit(many, donate_argnums=0)

    def start():
        state["weights"] = [(jnp.array(W), jnp.array(b)) for W, b in tool.initial_weights(a)]

    def train(count):
        scans = max(1, round(count / scan))
        for _ in range(scans):
            rows = np.stack([minibatches.next() for _ in range(scan)]).astype(np.int32)
            state["weights"] = many(state["weights"], x, y, rows)
        jax.block_until_ready(state["weights"])
        return scans * scan * B

    def accuracy(epochs):
        train(epochs * minibatches.an_epoch)
        return float((np.asarray(answers(state["weights"], data.x_test)) == data.y_test).mean())

    tool.serve(jax.__version__, start, train, accuracy, scan=scan)


tool.main(build, "jax")
