// Package devidp is an OpenID Connect provider for development: sign in as any of a few made-up users, without a password.
// It exists so that a newcomer's network, the tests and the demonstration go through the same authorization-code flow that
// a city's real provider offers. It refuses to listen on anything but a loopback address.
package devidp
