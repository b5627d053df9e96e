"""PyTorch. --variant eager: modules, autograd and the fused SGD, as most people write it. --variant hand: its operations alone, in place."""
import tool


def build(a):
    tool.set_threads(a.threads)
    import torch
    torch.set_num_threads(a.threads)
    torch.set_num_interop_threads(1)
    data, L = tool.Data(a.data, a.units[0]), a.layers
    x, x_test = torch.from_numpy(data.x), torch.from_numpy(data.x_test)
    y, y_test = torch.from_numpy(data.y).long(), torch.from_numpy(data.y_test).long()
    minibatches = tool.Minibatches(a, len(x))
    B = minibatches.size

    def minibatch():
        i = torch.from_numpy(minibatches.next())
        return x.index_select(0, i), y.index_select(0, i)

    (eager if a.variant == "eager" else by_hand)(a, torch, L, B, minibatch, minibatches, x_test, y_test)


def eager(a, torch, L, B, minibatch, minibatches, x_test, y_test):
    activation = {"relu": torch.nn.ReLU, "sigmoid": torch.nn.Sigmoid, "tanh": torch.nn.Tanh}[a.activation]
    linear = [torch.nn.Linear(n, m) for n, m in zip(a.units, a.units[1:])]
    modules = [module for layer in linear[:-1] for module in (layer, activation())] + linear[-1:]
    network, cost = torch.nn.Sequential(*modules), torch.nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(network.parameters(), lr=a.rate, fused=True)

    def start():
        with torch.no_grad():
            for layer, (W, b) in zip(linear, tool.initial_weights(a)):
                layer.weight.copy_(torch.from_numpy(W.T.copy()))
                layer.bias.copy_(torch.from_numpy(b))

    def train(count):
        for _ in range(count):
            inputs, labels = minibatch()
            optimizer.zero_grad(set_to_none=True)
            cost(network(inputs), labels).backward()
            optimizer.step()
        return count * B

    def accuracy(epochs):
        train(epochs * minibatches.an_epoch)
        with torch.no_grad():
            return (network(x_test).argmax(1) == y_test).float().mean().item()

    tool.serve(torch.__version__, start, train, accuracy)


def by_hand(a, torch, L, B, minibatch, minibatches, x_test, y_test):
    W, b = [], []
    step, rows = -a.rate / B, torch.arange(B)

    def start():
        weights = tool.initial_weights(a)
        W[:] = [torch.from_numpy(w.T.copy()) for w, _ in weights]
        b[:] = [torch.from_numpy(c) for _, c in weights]

    def forward(h):
        all_h = [h]
        for l in range(L):
            h = torch.addmm(b[l], h, W[l].t())
            if l < L - 1:
                h = h.relu_() if a.activation == "relu" else h.sigmoid_() if a.activation == "sigmoid" else h.tanh_()
            all_h.append(h)
        return all_h

    def through_activation(gradient, h):
        if a.activation == "relu":
            return torch.ops.aten.threshold_backward(gradient, h, 0)
        backward = torch.ops.aten.sigmoid_backward if a.activation == "sigmoid" else torch.ops.aten.tanh_backward
        return backward(gradient, h)

    @torch.inference_mode()
    def train(count):
        for _ in range(count):
            inputs, labels = minibatch()
            h = forward(inputs)
            delta = torch.softmax(h[L], 1)
            delta[rows, labels] -= 1
            for l in range(L - 1, -1, -1):
                below = through_activation(torch.mm(delta, W[l]), h[l]) if l else None
                W[l].addmm_(delta.t(), h[l], alpha=step)
                b[l].add_(delta.sum(0), alpha=step)
                delta = below
        return count * B

    @torch.inference_mode()
    def accuracy(epochs):
        train(epochs * minibatches.an_epoch)
        return (forward(x_test)[-1].argmax(1) == y_test).float().mean().item()

    tool.serve(torch.__version__, start, train, accuracy)


tool.main(build, "torch")
