//go:build kubectl

// Package kubectl pins the kubectl of the tests and of the stand-in for k3s, at the versions of the servers beside it. Nothing here is part of Rollcast itself.
package kubectl

import _ "k8s.io/kubernetes/cmd/kubectl"
