"""What engines that ask a language model share: requests, replies, budget, waiting, accounting."""
