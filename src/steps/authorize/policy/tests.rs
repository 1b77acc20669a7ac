//! Tables of what policies say.
