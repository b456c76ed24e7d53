//go:build argorollouts

// Package argorollouts pins Argo Rollouts' controller, which the model is compared with. Nothing here is part of Rollcast itself.
package argorollouts

import _ "github.com/argoproj/argo-rollouts/cmd/rollouts-controller"
