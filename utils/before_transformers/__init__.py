"""Before transformers: n-grams, a recurrent network, and the rulers that compare them with what came after."""

from utils.before_transformers.names import name_gains
from utils.before_transformers.networks import Recurrent, SmallTransformer, count_parameters
from utils.before_transformers.ngrams import NGrams, count_ngrams
from utils.before_transformers.reading import Reader, bits_per_byte, gradient_reach
from utils.before_transformers.timing import seconds_table
from utils.before_transformers.training import train
from utils.before_transformers.vocabulary import Vocabulary, learn_vocabulary

__all__ = [
    "NGrams",
    "Reader",
    "Recurrent",
    "SmallTransformer",
    "Vocabulary",
    "bits_per_byte",
    "count_ngrams",
    "count_parameters",
    "gradient_reach",
    "learn_vocabulary",
    "name_gains",
    "seconds_table",
    "train",
]
