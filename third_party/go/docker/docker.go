//go:build docker

// Package docker pins the plugins of the docker command, compose and buildx, for a container engine of Debian, which has neither; in one module, so that they
// share what they compile. Nothing here is part of Rollcast itself.
package docker

import (
	_ "github.com/docker/buildx/cmd/buildx"
	_ "github.com/docker/compose/v2/cmd"
)
