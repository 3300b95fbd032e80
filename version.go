package promptrails

// Version is the version of this package. It is part of the User-Agent header.
const Version = "0.1.0"
