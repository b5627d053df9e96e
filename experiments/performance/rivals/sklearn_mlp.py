"""scikit-learn's MLPClassifier by partial_fit, one call for many minibatches, so that its checks of the arguments cost little."""
import tool


def build(a):
    tool.set_threads(a.threads)
    import numpy as np
    import sklearn
    from sklearn.neural_network import MLPClassifier
    data = tool.Data(a.data, a.units[0])
    rows, B = len(data.x), min(a.batch, len(data.x))
    classes = np.arange(a.units[-1])
    random = np.random.default_rng(a.seed)
    order = random.permutation(rows)
    x, y = data.x[order], data.y[order]
    state = {}

    def start():
        model = MLPClassifier(hidden_layer_sizes=a.units[1:-1], solver="sgd", batch_size=B, learning_rate_init=a.rate, momentum=0,
                              activation={"sigmoid": "logistic"}.get(a.activation, a.activation), nesterovs_momentum=False, alpha=0,
                              shuffle=True, random_state=a.seed)
        model.partial_fit(x[:B], y[:B], classes=classes)  # makes the arrays, which keep their place from then on
        for W, b, (W0, b0) in zip(model.coefs_, model.intercepts_, tool.initial_weights(a)):
            assert W.dtype == np.float32
            W[...], b[...] = W0, b0
        state.update(model=model, at=0)

    def train(count):
        """Whole minibatches, of the rows that are next; partial_fit shuffles them among each other."""
        left = count * B
        while left:
            samples = min(left, (rows - state["at"]) // B * B)
            if samples:
                part = slice(state["at"], state["at"] + samples)
                state["model"].partial_fit(x[part], y[part])
            left -= samples
            state["at"] = state["at"] + samples if samples else 0
        return count * B

    def accuracy(epochs):
        train(epochs * (rows // B))
        return (state["model"].predict(data.x_test) == data.y_test).mean()

    tool.serve(sklearn.__version__, start, train, accuracy)


tool.main(build, "scikit-learn")
