//go:build helm4

// Package helm4 pins the Helm 4 whose writes the tests make beside Rollcast. Nothing here is part of Rollcast itself.
package helm4

import _ "helm.sh/helm/v4/cmd/helm"
