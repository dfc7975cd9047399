//! What is done to finished masks: holes, small ones, the border.
