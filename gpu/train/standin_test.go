// SPDX-License-Identifier: Apache-2.0

//go:build cuda && linux && (amd64 || arm64)

package train_test

import (
	"testing"

	"github.com/openledger/openledger/gpu/host"
	"github.com/openledger/openledger/gpu/host/hosttest"
)

func TestMain(m *testing.M) { hosttest.Main(m, host.Work) }
