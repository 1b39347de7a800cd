"""From annotations to models: label sets, training, evaluation, what to label next."""
