"""WeChat: official accounts, mini programs and WeCom customer service, and their platform's client."""
