"""What makes each kind of page: functions of a corpus and a route. `pages.KINDS` lists them."""
