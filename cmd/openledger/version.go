// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"runtime"

	"github.com/spf13/cobra"

	"github.com/openledger/openledger/node"
)

type versionInfo struct {
	Version string `json:"version"`
	Go      string `json:"go"`
	OS      string `json:"os"`
	Arch    string `json:"arch"`
}

func newVersionCmd(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version", Args: cobra.NoArgs,
		Example: "  openledger version --output json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			v := versionInfo{node.Version, runtime.Version(), runtime.GOOS, runtime.GOARCH}
			return a.print(cmd, v, func(w io.Writer) { fmt.Fprintf(w, "openledger %s %s %s/%s\n", v.Version, v.Go, v.OS, v.Arch) })
		},
	}
}
