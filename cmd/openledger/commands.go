// SPDX-License-Identifier: Apache-2.0

package main

import "github.com/spf13/cobra"

func addCommands(root *cobra.Command, a *app) {
	root.AddCommand(
		newVersionCmd(a),
		newKeysCmd(a),
	)
}
