// Package image holds the Dockerfile to what it promises.
//
// What can be read from it is always checked. With WATCHDOG_TEST_ALL it is built by buildah, as it is and in a minute, and
// the binary is run out of the built image's root. No registry is asked: the image that compiles is made of this
// machine's own Go, under the name that the Dockerfile asks for. It finds the modules where this machine has them.
package image
