"""AutoAWQ's quantizer as it works on a CPU."""
from awq.quantize.quantizer import AwqQuantizer


class RepairedQuantizer(AwqQuantizer):
    """
    Version 0.2.9 keeps what the scale search has to put back as `value.cpu()`. On a GPU that is a copy; on a CPU it is
    the weight itself, which the search goes on to multiply: the first scale tried stays in the weights, the best one is
    applied on top of it, and the model is ruined without a word. Here the search is given copies.
    """

    def _compute_best_scale(self, x, w_mean, x_mean, module2inspect, *rest, **named):
        state_dict = module2inspect.state_dict
        module2inspect.state_dict = lambda: {name: value.clone() for name, value in state_dict().items()}
        try:
            return super()._compute_best_scale(x, w_mean, x_mean, module2inspect, *rest, **named)
        finally:
            del module2inspect.state_dict
