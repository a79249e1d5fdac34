# Sourced: where the tests find the cluster that is up.
WAYPOST_TEST_KUBECONFIG=$(.venv/bin/python -m e2e.cluster kubeconfig) || exit 1
WAYPOST_TEST_TOOLS=$(.venv/bin/python -m e2e.cluster tools) || exit 1
WAYPOST_TEST_KUBECTL=$WAYPOST_TEST_TOOLS/kubectl
export WAYPOST_TEST_KUBECONFIG WAYPOST_TEST_TOOLS WAYPOST_TEST_KUBECTL
