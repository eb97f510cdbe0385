"""From the demo to one's own estate: questions, checked one by one, become a configuration with its keys."""
