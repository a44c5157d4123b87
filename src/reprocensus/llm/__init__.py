"""What engines that ask a language model share: requests and replies, what a paper's text becomes, waiting."""
