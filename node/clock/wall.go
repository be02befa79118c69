// SPDX-License-Identifier: Apache-2.0

//go:build !clockshift

package clock

import "time"

func wall() uint64 { return uint64(time.Now().UnixMilli()) }
