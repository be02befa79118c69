// SPDX-License-Identifier: Apache-2.0

// Command openledger is the whole program: node, client, offline checks, local
// networks and demo. One file holds one command group; commands parse flags,
// call packages and print (CLI-01, CLI-02).
package main
