//go:build helm

// Package helm pins the Helm that lints and renders the chart. Nothing here is part of Rollcast itself.
package helm

import _ "helm.sh/helm/v3/cmd/helm"
