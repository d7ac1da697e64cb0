"""The benchmark: `python -m bench` compares this server with its peers on one machine; docs/performance.md."""
