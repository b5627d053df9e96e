"""What the three pictures share: colours that are told apart without full colour vision, sizes, saving."""
import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter  # noqa: E402

# Okabe and Ito; a layer has the same colour and marker everywhere.
COLOURS = ["#0072B2", "#D55E00", "#009E73"]
MARKERS = ["o", "s", "^"]


def panels(columns, width=9.6, height=3.6):
    plt.rcParams.update({"font.size": 10, "axes.spines.top": False, "axes.spines.right": False,
                         "axes.grid": True, "grid.color": "#E4E4E4", "svg.hashsalt": "deltoid", "svg.fonttype": "path"})
    return plt.subplots(1, columns, figsize=(width, height), layout="constrained")


def layer_line(axes, layer, x, y, **more):
    axes.plot(x, y, color=COLOURS[layer - 1], marker=MARKERS[layer - 1], markersize=4,
              markevery=max(1, len(x) // 10), linewidth=1.5, label=f"layer {layer}", **more)


def plain_log(axes):
    """A logarithmic y axis with plain numbers at 1, 2 and 5 times the powers of ten."""
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())


def save(figure, path):
    figure.savefig(path, metadata={"Date": None} if path.endswith(".svg") else None, dpi=100)
    print(path)
