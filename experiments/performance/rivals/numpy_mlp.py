"""numpy by hand: the derivation's lines on whole minibatches, products by the BLAS that numpy brings."""
import tool


def build(a):
    tool.set_threads(a.threads)
    import numpy as np
    data, L = tool.Data(a.data, a.units[0]), a.layers
    minibatches = tool.Minibatches(a, len(data.x))
    B = minibatches.size
    rows, step = np.arange(B), np.float32(a.rate / B)
    W, b = [], []

    def start():
        weights = tool.initial_weights(a)
        W[:], b[:] = [w for w, _ in weights], [c for _, c in weights]

    def activate(z):
        if a.activation == "relu":
            np.maximum(z, 0, out=z)
        elif a.activation == "tanh":
            np.tanh(z, out=z)
        else:
            np.negative(z, out=z)
            np.exp(z, out=z)
            z += 1
            np.reciprocal(z, out=z)

    def local_gradient(h):
        return h > 0 if a.activation == "relu" else 1 - h * h if a.activation == "tanh" else h * (1 - h)

    def forward(x):
        h = [x]
        for l in range(L):
            z = h[-1] @ W[l]
            z += b[l]
            if l < L - 1:
                activate(z)
            h.append(z)
        return h

    def train(count):
        for _ in range(count):
            i = minibatches.next()
            h = forward(data.x.take(i, 0))
            delta = h[L]
            delta -= delta.max(1, keepdims=True)
            np.exp(delta, out=delta)
            delta /= delta.sum(1, keepdims=True)
            delta[rows, data.y[i]] -= 1
            delta *= step
            for l in range(L - 1, -1, -1):
                below = None
                if l:
                    below = delta @ W[l].T
                    below *= local_gradient(h[l])
                W[l] -= h[l].T @ delta
                b[l] -= delta.sum(0)
                delta = below
        return count * B

    def accuracy(epochs):
        train(epochs * minibatches.an_epoch)
        return (forward(data.x_test)[-1].argmax(1) == data.y_test).mean()

    tool.serve(np.__version__, start, train, accuracy)


tool.main(build, "numpy")
