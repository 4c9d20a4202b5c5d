"""The processes that train: Ray's actors, the cluster, the driver's regular work."""
