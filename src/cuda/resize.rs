//! Resizing as `cv2.resize` does it.
