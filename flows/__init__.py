"""The release story: Prefect flows, the steps they call, and the command line. Knows every other package."""
