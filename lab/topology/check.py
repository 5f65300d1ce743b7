"""What the parts of a topology must agree on, checked all at once.

`load` calls `check` on a file of the right shape. Pure: it returns problems and raises nothing, so
that a user sees every problem in one run. Each rule is one function; `_RULES` is the list of them.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from ipaddress import IPv4Network
from itertools import combinations

from lab.plan.addresses import LAB_CIDR, MAX_CLUSTERS, ClusterPlan, cluster_plans
from lab.topology.links import directed_links, expand
from lab.topology.model import APP_SERVICES, Topology
from lab.topology.problem import Path, Problem, did_you_mean, listed
